from supavex.schema import define_schema, define_table, v

o = v.optional


def measures():
    names = ["f8", "f4", "dec", "tz", "ts", "day"]
    return define_table({"id": v.number(), **{name: o(v.number()) for name in names}})


schema = define_schema(
    {
        "refused": measures(),
        "kept": measures(),
        "nulled": measures(),
        "choices": define_table(
            {
                "id": v.number(),
                "filled": v.number(default=-1),
                "empty": v.union(v.number(), v.null()),
                "required": v.number(),
            }
        ),
        "neighbours": define_table(
            {
                "id": v.number(),
                "n": v.number(),
                "big": v.int64(),
                "bits": v.bytes(),
                "data": v.any(),
                "tags": v.array(v.number()),
            }
        ),
    }
)
