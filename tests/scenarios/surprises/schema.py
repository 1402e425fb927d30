from supavex.schema import define_schema, define_table, v

schema = define_schema(
    {
        # public.API_ACCESS
        "apiAccess": define_table(
            {
                "from": v.string(),
                "order": v.optional(v.number()),
                "FriendRequest": v.optional(v.boolean()),
            }
        ).index("by_from", ["from"]),
        # public._prisma_migrations
        "prismaMigrations": define_table(
            {
                "id": v.string(),
                "checksum": v.optional(v.string()),
            }
        ).index("by_id2", ["id"]),
        # public.claims
        "claims": define_table(
            {
                # numeric(78,0) as text: a double may not hold it
                "id": v.string(),
                # public.order_line, as its text
                "lines": v.optional(v.array(v.string())),
                "since": v.string(),
            }
        ).index("by_id2", ["id"]),
        # public.events
        "events": define_table(
            {
                # rows beyond 2^53 are rejected; v.int64() takes them
                "id": v.number(),
                "team": v.optional(v.id("teams")),
                "at": v.number(),
            }
        )
        .index("by_team", ["team"])
        .index("by_id_at", ["id", "at"])
        .unique(["id", "at"]),
        # public.made_later
        "madeLater": define_table(
            {
                "id": v.number(),
                "note": v.string(default="late"),
            }
        ),
        # public.plans
        "plans": define_table(
            {
                "price": v.optional(v.number()),
            }
        ),
        # public.settings
        "settings": define_table(
            {
                "id": v.number(default=1),
                "theme": v.optional(v.string()),
            }
        ),
        # public.stores
        "stores": define_table(
            {
                "location": v.string(),
                "area": v.optional(v.string()),
                "path": v.optional(v.string()),
                "attrs": v.optional(v.string()),
            }
        ),
        # public.teams
        "teams": define_table(
            {
                "slug": v.string(unique=True),
                "code": v.optional(v.string(unique=True)),
            }
        )
        .index("by_code", ["code"])
        .index("by_slug", ["slug"]),
        # public.wide
        "wide": define_table(
            {
                "id": v.number(),
                "c1": v.number(default=1),
                "c2": v.number(default=2),
                "c3": v.number(default=3),
                "c4": v.number(default=4),
                "c5": v.number(default=5),
                "c6": v.number(default=6),
                "c7": v.number(default=7),
                "c8": v.number(default=8),
                "c9": v.number(default=9),
                "c10": v.number(default=10),
                "c11": v.number(default=11),
                "c12": v.number(default=12),
                "c13": v.number(default=13),
                "c14": v.number(default=14),
                "c15": v.number(default=15),
                "c16": v.number(default=16),
                "c17": v.number(default=17),
                "c18": v.number(default=18),
                "c19": v.number(default=19),
                "c20": v.number(default=20),
                "c21": v.number(default=21),
                "c22": v.number(default=22),
                "c23": v.number(default=23),
                "c24": v.number(default=24),
                "c25": v.number(default=25),
                "c26": v.number(default=26),
                "c27": v.number(default=27),
                "c28": v.number(default=28),
                "c29": v.number(default=29),
                "c30": v.number(default=30),
                "c31": v.number(default=31),
                "c32": v.number(default=32),
                "c33": v.number(default=33),
                "c34": v.number(default=34),
                "c35": v.number(default=35),
                "c36": v.number(default=36),
                "c37": v.number(default=37),
                "c38": v.number(default=38),
                "c39": v.number(default=39),
                "c40": v.number(default=40),
            }
        )
        # 12 more of the source's indexes did not fit Convex's limit
        .index("by_c10", ["c10"])
        .index("by_c11", ["c11"])
        .index("by_c12", ["c12"])
        .index("by_c13", ["c13"])
        .index("by_c14", ["c14"])
        .index("by_c15", ["c15"])
        .index("by_c16", ["c16"])
        .index("by_c17", ["c17"])
        .index("by_c18", ["c18"])
        .index("by_c19", ["c19"])
        .index("by_c1", ["c1"])
        .index("by_c20", ["c20"])
        .index("by_c21", ["c21"])
        .index("by_c22", ["c22"])
        .index("by_c23", ["c23"])
        .index("by_c24", ["c24"])
        .index("by_c25", ["c25"])
        .index("by_c26", ["c26"])
        .index("by_c27", ["c27"])
        .index("by_c28", ["c28"])
        .index("by_c29", ["c29"])
        .index("by_c2", ["c2"])
        .index("by_c30", ["c30"])
        .index("by_c31", ["c31"])
        .index("by_c32", ["c32"])
        .index("by_c33", ["c33"])
        .index("by_c34", ["c34"])
        .index("by_c35", ["c35"]),
    }
)
