from supavex.schema import define_schema, define_table, v


def table(shaped):
    return define_table(
        {
            "id": v.number(),
            "data": v.optional(v.any()),
            "raw": v.optional(v.any()),
            "shaped": v.optional(shaped),
            "many": v.optional(v.any()),
        }
    )


numbers = v.record(v.string(), v.number())
schema = define_schema(
    {
        "refused": table(numbers),
        "escaped": table(numbers),
        "as_text": table(v.union(numbers, v.string())),
    }
)
