from supavex.schema import define_schema, define_table, v

schema = define_schema({"seeds": define_table({"label": v.string()})})
