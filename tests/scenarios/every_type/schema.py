from supavex.schema import define_schema, define_table, v

o = v.optional
schema = define_schema(
    {
        "things": define_table(
            {
                "small": o(v.number()),
                "whole": o(v.number()),
                "big": o(v.number()),
                "huge": o(v.int64()),
                "price": o(v.number()),
                "exact": o(v.number()),
                "digits": o(v.string()),
                "cents": o(v.int64()),
                "ratio": o(v.number()),
                "single": o(v.number()),
                "cash": o(v.number()),
                "yes": o(v.boolean()),
                "words": o(v.string()),
                "code": o(v.string()),
                "padded": o(v.string()),
                "feeling": o(v.union(v.literal("senang"), v.literal("sedih"))),
                "address": o(v.string()),
                "reference": o(v.string()),
                "day": o(v.string()),
                "day_number": o(v.number()),
                "moment": o(v.number()),
                "local": o(v.number()),
                "clock": o(v.string()),
                "clock_full": o(v.string()),
                "span": o(v.string()),
                "data": o(v.any()),
                "raw": o(v.any()),
                "shaped": o(v.object({"name": v.string(), "size": v.number()})),
                "text_data": o(v.string()),
                "tags": o(v.array(v.string())),
                "numbers": o(v.array(v.number())),
                "prices": o(v.array(v.number())),
                "flags": o(v.array(v.boolean())),
                "days": o(v.array(v.string())),
                "bits": o(v.bytes()),
                "base64": o(v.string()),
                "ip": o(v.string()),
                "range_": o(v.string()),
                "vec": o(v.array(v.float64())),
                "created_at": v.number(),
            }
        )
    }
)
