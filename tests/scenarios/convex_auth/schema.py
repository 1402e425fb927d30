"""Convex Auth's tables, one of them with a field more, and tables that refer to users."""

from supavex.schema import auth_tables, define_schema, define_table, v

auth = auth_tables()
schema = define_schema(
    {
        **auth,
        "users": define_table({**auth["users"].fields, "role": v.optional(v.string())})
        .index("email", ["email"])
        .index("phone", ["phone"]),
        "posts": define_table(
            {"author": v.id("users"), "reviewers": v.array(v.id("users")), "title": v.string()}
        ).index("by_author", ["author"]),
    }
)
