from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "orderLines": define_table(
            {"size": v.number(), "from": v.string(), "email": v.string(), "domain": v.string(), "legacyId": v.string()}
        ),
        "invoices": define_table({"total": v.number(), "orderLine": v.id("orderLines")}),
    }
)
