from supavex.schema import define_schema, define_table, v

schema = define_schema({"visits": define_table({"noted_by": v.string()})})
