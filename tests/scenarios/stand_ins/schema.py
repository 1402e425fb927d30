from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        # public.places
        "places": define_table(
            {
                "id": v.number(),
                # gis.geography, as PostgreSQL's text of it
                "at": v.optional(v.string()),
            }
        ),
        # public.things
        "things": define_table(
            {
                "name": v.optional(v.string()),
                "token": v.optional(v.string()),
            }
        ),
    }
)
