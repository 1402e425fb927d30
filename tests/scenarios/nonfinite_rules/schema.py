from supavex.schema import define_schema, define_table, v

schema = define_schema({"measures": define_table({"n": v.optional(v.number(ge=0))})})
