from supavex.schema import define_schema, define_table, v

o = v.optional
schema = define_schema(
    {
        "shops": define_table(
            {
                "id": v.number(),
                "city": o(v.id("cities")),
                "by_zip": v.union(v.id("cities"), v.null()),
                "loose": o(v.id("cities")),
            }
        ),
        "cities": define_table(
            {
                "country": v.id("countries"),
                "number": v.number(),
                "zip": o(v.number()),
                "area": o(v.number()),
                "name": v.string(),
            }
        ),
        "countries": define_table({"code": v.string()}),
        "people": define_table({"name": v.string(), "friends": o(v.array(v.id("people")))}),
        "posts": define_table(
            {
                "id": v.number(),
                "authors": o(v.array(v.id("people"))),
                "tags": v.array(v.id("tags"), default=[]),
                "lands": o(v.array(v.id("countries"))),
                "csv": o(v.array(v.id("tags"))),
            }
        ),
        "tags": define_table({"name": v.string()}),
    }
)
