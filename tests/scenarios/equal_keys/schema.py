from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        "days": define_table({"at": v.number()}),
        "logs": define_table({"id": v.number(), "day": v.optional(v.id("days")), "moment": v.optional(v.number())}),
        "terms": define_table({"id": v.string()}),
        "plans": define_table(
            {
                "id": v.number(),
                "term": v.optional(v.id("terms")),
                "others": v.optional(v.array(v.union(v.id("terms"), v.null()))),
            }
        ),
        "shapes": define_table({"id": v.any()}),
        "uses": define_table({"id": v.number(), "shape": v.optional(v.id("shapes"))}),
        "marks": define_table({"id": v.number()}),
        "grades": define_table(
            {"id": v.number(), "mark": v.optional(v.id("marks")), "small": v.optional(v.id("marks"))}
        ),
        "wholes": define_table({"n": v.number(), "lasts": v.string(), "v": v.optional(v.number())}),
        "parts": define_table({"id": v.number(), "whole": v.optional(v.id("wholes"))}),
        "words": define_table({"word": v.string()}),
        "notes": define_table(
            {"id": v.number(), "word": v.optional(v.id("words")), "loose": v.optional(v.id("words"))}
        ),
        "chosen": define_table({"name": v.any()}),
        "choices": define_table({"id": v.number(), "name": v.optional(v.id("chosen"))}),
    }
)
