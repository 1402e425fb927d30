from supavex.schema import define_schema, define_table, v

o = v.optional


def array(element):
    """An array whose elements may be NULL."""
    return v.array(v.union(element, v.null()))


schema = define_schema(
    {
        "flat": define_table(
            {
                "id": v.number(),
                "texts": o(array(v.string())),
                "moods": o(v.array(v.union(v.literal("senang"), v.literal("sedih"), v.null()))),
                "uuids": o(array(v.string())),
                "ints": o(array(v.number())),
                "bigs": o(array(v.number())),
                "int64s": o(array(v.int64())),
                "decimals": o(array(v.number())),
                "singles": o(array(v.number())),
                "doubles": o(array(v.number())),
                "cash": o(array(v.number())),
                "flags": o(array(v.boolean())),
                "days": o(array(v.string())),
                "day_numbers": o(array(v.number())),
                "moments": o(array(v.number())),
                "clocks": o(array(v.string())),
                "bits": o(array(v.bytes())),
                "base64": o(array(v.string())),
                "data": o(v.any()),
                "raw": o(v.array(v.any())),
                "shaped": o(array(v.object({"k": v.number()}))),
                "ips": o(v.any()),
            }
        ),
        "nested": define_table(
            {
                "id": v.number(),
                "texts": o(v.array(array(v.string()))),
                "ints": o(v.array(array(v.number()))),
                "int64s": o(v.array(array(v.int64()))),
                "decimals": o(v.array(array(v.number()))),
                "flags": o(v.array(array(v.boolean()))),
                "bits": o(v.array(array(v.bytes()))),
                "data": o(v.any()),
                "days": o(v.any()),
                "anything": o(v.any()),
            }
        ),
        "bad": define_table(
            {
                "id": v.number(),
                "texts": o(v.array(v.string())),
                "numbers": o(v.array(v.number())),
                "moments": o(v.array(v.number())),
                "bits": o(v.array(v.bytes())),
                "pairs": o(v.array(v.array(v.number()))),
            }
        ),
        "domains": define_table(
            {
                "id": v.number(),
                "wholes": o(v.array(v.number())),
                "words": o(v.array(v.string())),
                "maybes": o(v.array(v.number())),
            }
        ),
    }
)
