from supavex.schema import define_schema, define_table, v

text = v.optional(v.string())
schema = define_schema({"posts": define_table({"body": text, "raw": text, "code": text})})
