"""Convex Auth: the users of ``auth.users`` and the accounts of ``auth.identities`` as documents.

The target tables are those of the npm package @convex-dev/auth (0.0.95). ``[users] for = "convex-auth"`` in
supavex.toml makes the two source tables move, with the rules of this module. The project's own rules for
``"auth.users"`` and ``"auth.identities"`` take precedence.
"""

from __future__ import annotations

from dataclasses import replace

from supavex.postgres.catalog import Table
from supavex.settings.rules import ColumnRule, FieldRule, TableRule
from supavex.settings.settings import Settings

#: The source tables, and their Convex tables.
SOURCES = {"auth.users": "users", "auth.identities": "authAccounts"}
#: The field of ``authAccounts`` for password hashes.
SECRET = "secret"
#: Supabase's name of a provider to Auth.js's name, if they differ. Both give people the same ids.
PROVIDERS = {"email": "password", "azure": "microsoft-entra-id", "linkedin_oidc": "linkedin", "slack_oidc": "slack"}
#: The prefix of the provider in a banned user's accounts. No sign-in looks for such a provider.
BANNED = "banned:"
_OWN = "Supabase Auth's own"
_BCRYPT = r"^\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}$"


def is_secret(table: str, name: str) -> bool:
    """Whether the values of a column or field ``name`` of the source table ``table`` must not be shown."""
    return table in SOURCES and (name in (SECRET, "encrypted_password") or "token" in name)


def rule_of(project: Settings, table: Table) -> TableRule:
    """The rules for a table: those of supavex.toml, or else of :func:`auth_rule`."""
    return auth_rule(project, table) or project.table_rule(table.schema, table.name)


def auth_rule(project: Settings, table: Table) -> TableRule | None:
    """The rules for one of :data:`SOURCES` if the project moves its users to Convex Auth; None for other tables."""
    if project.users.kind != "convex-auth" or table.qualified not in SOURCES:
        return None
    own = project.table_rule(table.schema, table.name)
    there = {column.name for column in table.columns}
    made = _users(there) if table.name == "users" else _accounts(there, hashes=project.users.password_hashes)
    columns = {**made.columns, **own.columns}
    for name in there - columns.keys() - {"id"}:
        columns[name] = ColumnRule(skip="it becomes _creationTime" if name == "created_at" else _OWN)
    return replace(own, to=own.to or made.to, columns=columns, fields={**made.fields, **own.fields})


def _users(there: set[str]) -> TableRule:
    def has(name: str, otherwise: str = "false") -> str:
        return f"t.{name}" if name in there else otherwise

    gone = f"({has('deleted_at', 'NULL')} IS NOT NULL)"
    banned = f"COALESCE({has('banned_until', 'NULL')} > now(), false)"
    # Convex Auth expects one user for a confirmed email. An SSO user often shares the email with another user.
    doubled = "false"
    if "is_sso_user" in there:
        others = "SELECT lower(o.email) FROM auth.users AS o WHERE NOT o.is_sso_user AND o.email IS NOT NULL"
        doubled = f"(t.is_sso_user AND lower(t.email) IN ({others}))"
    name = "COALESCE(" + ", ".join(_text(key) for key in ("name", "full_name", "display_name", "user_name")) + ")"
    image = "COALESCE(" + ", ".join(_text(key) for key in ("avatar_url", "picture")) + ")"
    columns = {
        "email": ColumnRule(sql=f"CASE WHEN NOT {gone} THEN NULLIF(t.email, '') END"),
        "email_confirmed_at": ColumnRule(
            to="emailVerificationTime",
            sql=f"CASE WHEN NOT ({gone} OR {banned} OR {doubled}) AND t.email <> '' THEN t.email_confirmed_at END",
        ),
        "phone": ColumnRule(
            sql=f"CASE WHEN NOT {gone} THEN regexp_replace(NULLIF(t.phone, ''), '^([0-9]+)$', '+\\1') END"
        ),
        "phone_confirmed_at": ColumnRule(
            to="phoneVerificationTime",
            sql=f"CASE WHEN NOT ({gone} OR {banned}) AND t.phone <> '' THEN t.phone_confirmed_at END",
        ),
        "is_anonymous": ColumnRule(to="isAnonymous", sql="CASE WHEN t.is_anonymous THEN true END"),
    }
    fields = {"name": FieldRule(sql=name), "image": FieldRule(sql=image)} if "raw_user_meta_data" in there else {}
    return TableRule(to="users", columns={key: rule for key, rule in columns.items() if key in there}, fields=fields)


def _text(key: str) -> str:
    value = f"t.raw_user_meta_data -> '{key}'"
    return f"NULLIF(CASE jsonb_typeof({value}) WHEN 'string' THEN ({value}) #>> '{{}}' END, '')"


def _accounts(there: set[str], *, hashes: bool) -> TableRule:
    def user(column: str, condition: str = "") -> str:
        return f"(SELECT u.{column} FROM auth.users AS u WHERE u.id = t.user_id{condition})"

    # Before 2024, the row's id was the provider's id of the person.
    account = "provider_id" if "provider_id" in there else "id"
    email = f"COALESCE({user('email')}, t.identity_data ->> 'email')"
    phone = f"regexp_replace({user('phone')}, '^([0-9]+)$', '+\\1')"
    names = " ".join(f"WHEN '{name}' THEN '{other}'" for name, other in PROVIDERS.items())
    ban = f"CASE WHEN {user('banned_until')} > now() THEN '{BANNED}' ELSE '' END"
    columns = {
        "user_id": ColumnRule(to="userId"),
        "provider": ColumnRule(sql=f"{ban} || CASE t.provider {names} ELSE t.provider END"),
        account: ColumnRule(
            to="providerAccountId",
            sql=f"CASE t.provider WHEN 'email' THEN {email} WHEN 'phone' THEN {phone} ELSE t.{account}::text END",
        ),
    }
    fields = {
        "emailVerified": FieldRule(
            sql=f"CASE t.provider WHEN 'email' THEN {user('email', ' AND u.email_confirmed_at IS NOT NULL')} END"
        ),
        "phoneVerified": FieldRule(
            sql=f"CASE WHEN t.provider = 'phone' AND {user('phone_confirmed_at')} IS NOT NULL THEN {phone} END"
        ),
    }
    if hashes:
        bcrypt = f" AND u.encrypted_password ~ '{_BCRYPT}'"
        fields[SECRET] = FieldRule(sql=f"CASE t.provider WHEN 'email' THEN {user('encrypted_password', bcrypt)} END")
    return TableRule(to="authAccounts", columns=columns, fields=fields)


#: Replaces a secret value.
HIDDEN = "(hidden)"
