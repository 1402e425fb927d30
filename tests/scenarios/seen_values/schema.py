from supavex.schema import define_schema, define_table, v

TEXTS = [
    "ip",
    "net",
    "host",
    "mac",
    "span",
    "padded",
    "bits",
    "varying",
    "range",
    "ranges",
    "cash",
    "at",
    "local",
    "clock",
    "clock_tz",
    "spot",
    "mood",
    "letter",
    "name",
]
ARRAYS = ["ips", "spans", "paddeds", "moments", "moods", "boxes"]

schema = define_schema(
    {
        "seen": define_table(
            {
                **{name: v.optional(v.string()) for name in TEXTS},
                **{name: v.optional(v.array(v.union(v.string(), v.null()))) for name in ARRAYS},
                "nested": v.optional(v.array(v.array(v.string()))),
            }
        )
    }
)
