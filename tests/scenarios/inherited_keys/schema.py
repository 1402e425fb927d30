from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "cities": define_table({"id": v.number(), "name": v.string()}),
        "capitals": define_table({"id": v.number(), "name": v.string(), "country": v.string()}),
        "visits": define_table({"id": v.number(), "city": v.id("cities")}),
    }
)
