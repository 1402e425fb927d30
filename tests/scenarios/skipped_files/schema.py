from supavex.schema import define_schema, define_table, v

schema = define_schema({"tools": define_table({"name": v.string(), "serial": v.optional(v.string())})})
