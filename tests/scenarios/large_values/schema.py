from supavex.schema import define_schema, define_table, v

text = v.optional(v.string())
file = v.optional(v.id("_storage"))
schema = define_schema(
    {
        "articles": define_table(
            {
                "title": v.string(),
                "created_at": v.number(),
                "body": text,
                "bodyFile": file,
                "code": text,
                "codeFile": file,
                "raw": text,
                "rawFile": file,
                "extra": v.optional(v.any()),
                "extraFile": file,
                "blob": v.optional(v.bytes()),
                "blobFile": file,
            }
        ),
        "notes": define_table({"tenant": v.string(), "number": v.number(), "content": v.id("_storage")}),
        "pages": define_table(
            {
                "slug": v.string(),
                "status": v.string(one_of=["open"]),
                "body": text,
                "bodyFile": v.union(v.id("_storage"), v.null()),
            }
        ),
        "made": define_table({"a": v.string(), "b": text, "bFile": file}),
        "logs": define_table({"line": text, "lineFile": file}),
    }
)
