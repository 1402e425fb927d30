"""my21staff on Convex: the core tables, ARI (the AI receptionist), scheduling, and the website's content.

Fields keep the snake_case names that the columns had. Points in time are milliseconds since the epoch.
"""

from supavex.schema import define_schema, define_table, v

# HH:MM, 00:00 to 23:59.
TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"

schema = define_schema(
    {
        # ------------------------------------------------------------------ core
        "workspaces": define_table(
            {
                "name": v.string(),
                "slug": v.string(),
                "supabaseId": v.optional(v.string(comment="migration reference")),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="One education consultancy",
        )
        .index("by_slug", ["slug"])
        .unique(["slug"]),
        "contacts": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "name": v.string(),
                "phone": v.string(comment="WhatsApp number, +62…"),
                "email": v.optional(v.string()),
                "tags": v.array(v.string(), default=[]),
                "supabaseId": v.optional(v.string(comment="migration reference")),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="A person who wrote to a workspace on WhatsApp",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_supabase_id", ["supabaseId"])
        .unique(["workspace_id", "phone"]),
        "ariConversations": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "contact_id": v.id("contacts"),
                "status": v.string(
                    one_of=["greeting", "qualifying", "scoring", "booking", "payment", "handoff", "completed"]
                ),
                "ai_model": v.optional(v.string()),
                "lead_score": v.number(default=0, ge=0, le=100),
                "supabaseId": v.optional(v.string(comment="migration reference")),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="A contact's conversation with ARI",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_contact", ["contact_id"])
        .index("by_supabase_id", ["supabaseId"]),
        # ------------------------------------------------- ARI and scheduling
        "ariDestinations": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "country": v.string(),
                "city": v.optional(v.string()),
                "university_name": v.string(),
                "requirements": v.optional(v.any(comment="ielts_min, gpa_min, budget_min, budget_max, deadline")),
                "programs": v.optional(v.array(v.string())),
                "is_promoted": v.boolean(default=False),
                "priority": v.number(default=0),
                "notes": v.optional(v.string()),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="University knowledge base",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_country", ["workspace_id", "country"]),
        "ariPayments": define_table(
            {
                "ari_conversation_id": v.id("ariConversations"),
                "workspace_id": v.id("workspaces"),
                "amount": v.number(),
                "currency": v.string(default="IDR"),
                "payment_method": v.optional(v.string()),
                "gateway": v.string(default="midtrans"),
                "gateway_transaction_id": v.optional(v.string()),
                "gateway_response": v.optional(v.any()),
                "status": v.string(one_of=["pending", "success", "failed", "expired", "refunded"]),
                "expires_at": v.optional(v.number()),
                "paid_at": v.optional(v.number()),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Payment records",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_conversation", ["ari_conversation_id"])
        .index("by_status", ["status"]),
        "ariAppointments": define_table(
            {
                "ari_conversation_id": v.id("ariConversations"),
                "workspace_id": v.id("workspaces"),
                "payment_id": v.optional(v.id("ariPayments")),
                "consultant_id": v.optional(v.string(comment="Clerk user id")),
                "scheduled_at": v.number(),
                "duration_minutes": v.number(default=60),
                "meeting_link": v.optional(v.string()),
                "status": v.string(one_of=["scheduled", "confirmed", "completed", "cancelled", "no_show"]),
                "reminder_sent_at": v.optional(v.number()),
                "notes": v.optional(v.string()),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Consultation scheduling",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_conversation", ["ari_conversation_id"])
        .index("by_consultant", ["consultant_id"]),
        "ariAiComparison": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "ai_model": v.string(),
                "conversation_count": v.number(default=0),
                "avg_response_time_ms": v.optional(v.number()),
                "total_tokens_used": v.number(default=0),
                "conversion_count": v.number(default=0),
                "satisfaction_score": v.optional(v.number()),
                "period_start": v.optional(v.number()),
                "period_end": v.optional(v.number()),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="A/B testing metrics",
        ).index("by_workspace_model", ["workspace_id", "ai_model"]),
        "ariFlowStages": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "name": v.string(),
                "goal": v.string(),
                "sample_script": v.optional(v.string()),
                "exit_criteria": v.optional(v.string()),
                "stage_order": v.number(),
                "is_active": v.boolean(default=True),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Custom conversation stages",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_order", ["workspace_id", "stage_order"]),
        "ariKnowledgeCategories": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "name": v.string(),
                "description": v.optional(v.string()),
                "display_order": v.number(default=0),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Groups of knowledge entries",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_order", ["workspace_id", "display_order"]),
        "ariKnowledgeEntries": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "category_id": v.optional(v.id("ariKnowledgeCategories")),
                "title": v.string(),
                "content": v.string(),
                "is_active": v.boolean(default=True),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="What ARI may answer from",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_category", ["category_id"]),
        # The four weights sum to 100, and hot_threshold is above warm_threshold.
        "ariScoringConfig": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "hot_threshold": v.number(default=70),
                "warm_threshold": v.number(default=40),
                "weight_basic": v.number(default=25),
                "weight_qualification": v.number(default=35),
                "weight_document": v.number(default=30),
                "weight_engagement": v.number(default=10),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Scoring thresholds, one row for each workspace",
        )
        .index("by_workspace", ["workspace_id"])
        .unique(["workspace_id"]),
        "consultantSlots": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "consultant_id": v.optional(v.string(comment="Clerk user id")),
                "day_of_week": v.number(ge=0, le=6, comment="0 is Sunday"),
                "start_time": v.string(pattern=TIME_OF_DAY, comment="HH:MM"),
                "end_time": v.string(pattern=TIME_OF_DAY, comment="HH:MM"),
                "duration_minutes": v.number(default=60),
                "booking_window_days": v.number(default=14),
                "max_bookings_per_slot": v.number(default=1),
                "is_active": v.boolean(default=True),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Booking availability",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_day", ["workspace_id", "day_of_week"]),
        # -------------------------------------------------------- website content
        "articles": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "title": v.string(),
                "slug": v.string(),
                "excerpt": v.optional(v.string()),
                "content": v.optional(v.string()),
                "cover_image_url": v.optional(v.string()),
                "status": v.string(one_of=["draft", "published"]),
                "published_at": v.optional(v.number()),
                "supabaseId": v.optional(v.string(comment="migration reference")),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Articles of a workspace's website",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_slug", ["workspace_id", "slug"])
        .index("by_status", ["status"])
        .unique(["workspace_id", "slug"]),
        "webinars": define_table(
            {
                "workspace_id": v.id("workspaces"),
                "title": v.string(),
                "slug": v.string(),
                "description": v.optional(v.string()),
                "cover_image_url": v.optional(v.string()),
                "scheduled_at": v.number(),
                "duration_minutes": v.number(default=60),
                "meeting_url": v.optional(v.string()),
                "max_registrations": v.optional(v.number()),
                "status": v.string(one_of=["draft", "published", "completed", "cancelled"]),
                "published_at": v.optional(v.number()),
                "supabaseId": v.optional(v.string(comment="migration reference")),
                "created_at": v.number(),
                "updated_at": v.number(),
            },
            comment="Webinars of a workspace's website",
        )
        .index("by_workspace", ["workspace_id"])
        .index("by_workspace_slug", ["workspace_id", "slug"])
        .index("by_status", ["status"])
        .index("by_scheduled", ["scheduled_at"])
        .unique(["workspace_id", "slug"]),
        # registered_at is the creation time; there is no created_at and no updated_at.
        "webinarRegistrations": define_table(
            {
                "webinar_id": v.id("webinars"),
                "contact_id": v.id("contacts"),
                "workspace_id": v.id("workspaces"),
                "registered_at": v.number(),
                "attended": v.boolean(default=False),
            },
            comment="Who registered for a webinar",
        )
        .index("by_webinar", ["webinar_id"])
        .index("by_contact", ["contact_id"])
        .index("by_workspace", ["workspace_id"])
        .unique(["webinar_id", "contact_id"]),
    }
)
