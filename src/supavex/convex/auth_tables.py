"""The tables of Convex Auth, as ``authTables`` of the npm package @convex-dev/auth (0.0.95) has them."""

from __future__ import annotations

from supavex.convex.schema import Table, define_table, v


def auth_tables() -> dict[str, Table]:
    """The tables of Convex Auth: ``define_schema({**auth_tables(), …})`` is ``defineSchema({...authTables, …})``.

    Each call makes new definitions, so that a caller may add indexes to them.
    """
    return {
        "users": define_table(
            {
                "name": v.optional(v.string()),
                "image": v.optional(v.string()),
                "email": v.optional(v.string()),
                "emailVerificationTime": v.optional(v.number()),
                "phone": v.optional(v.string()),
                "phoneVerificationTime": v.optional(v.number()),
                "isAnonymous": v.optional(v.boolean()),
            }
        )
        .index("email", ["email"])
        .index("phone", ["phone"]),
        "authSessions": define_table({"userId": v.id("users"), "expirationTime": v.number()}).index(
            "userId", ["userId"]
        ),
        # A sign-in expects to find at most one account.
        "authAccounts": define_table(
            {
                "userId": v.id("users"),
                "provider": v.string(),
                "providerAccountId": v.string(),
                "secret": v.optional(v.string()),
                "emailVerified": v.optional(v.string()),
                "phoneVerified": v.optional(v.string()),
            }
        )
        .index("userIdAndProvider", ["userId", "provider"])
        .index("providerAndAccountId", ["provider", "providerAccountId"])
        .unique(["provider", "providerAccountId"]),
        "authRefreshTokens": define_table(
            {
                "sessionId": v.id("authSessions"),
                "expirationTime": v.number(),
                "firstUsedTime": v.optional(v.number()),
                "parentRefreshTokenId": v.optional(v.id("authRefreshTokens")),
            }
        )
        .index("sessionId", ["sessionId"])
        .index("sessionIdAndParentRefreshTokenId", ["sessionId", "parentRefreshTokenId"]),
        "authVerificationCodes": define_table(
            {
                "accountId": v.id("authAccounts"),
                "provider": v.string(),
                "code": v.string(),
                "expirationTime": v.number(),
                "verifier": v.optional(v.string()),
                "emailVerified": v.optional(v.string()),
                "phoneVerified": v.optional(v.string()),
            }
        )
        .index("accountId", ["accountId"])
        .index("code", ["code"]),
        "authVerifiers": define_table(
            {"sessionId": v.optional(v.id("authSessions")), "signature": v.optional(v.string())}
        ).index("signature", ["signature"]),
        "authRateLimits": define_table(
            {"identifier": v.string(), "lastAttemptTime": v.number(), "attemptsLeft": v.number()}
        ).index("identifier", ["identifier"]),
    }
