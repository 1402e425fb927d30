"""Columns with the paths and addresses of files become ids of stored files."""

from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "articles": define_table({"cover": v.id("_storage"), "attachment": v.optional(v.id("_storage"))}),
    }
)
