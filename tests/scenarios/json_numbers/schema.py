from supavex.schema import define_schema, define_table, v

o = v.optional
schema = define_schema(
    {
        "hooks": define_table(
            {
                "payload": o(v.any()),
                "raw": o(v.any()),
                "items": o(v.array(v.any())),
                "kept": o(v.any()),
                "as_text": o(v.string()),
            }
        ),
    }
)
