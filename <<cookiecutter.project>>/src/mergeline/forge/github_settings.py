"""A repository's settings on GitHub: one ruleset of its own, the environments' reviewers, what Actions may do."""

from collections.abc import Callable
from functools import partial
from typing import Any

from github import GithubException, UnknownObjectException

from .settings import Environment, Main, Settings

RULESET = "main"
CHECKS, REVIEWS = "required_status_checks", "pull_request"
PLAIN = ("deletion", "non_fast_forward")
ACTIONS = "actions/permissions/workflow"
Call = Callable[..., Any]
"""Asks the repository's API: method, path below the repository, body; raises GithubException."""


def read(call: Call, environments: list[str]) -> Settings:
    """Give what is set, for the environments of these names."""
    return Settings(
        main=_main((_ruleset(call) or {}).get("rules", [])),
        environments={name: Environment(reviewers=_reviewers(_environment(call, name))) for name in environments},
        actions_open_pull_requests=bool(call("GET", ACTIONS)["can_approve_pull_request_reviews"]),
    )


def write(call: Call, wanted: Settings, there: Settings, login: Callable[[str], int]) -> list[str]:
    """Set it where it differs; say in a line each what was refused, as a plan does that lacks something.

    Args:
        call: asks the repository's API.
        wanted: what shall be set. Other rules of the ruleset, and what else an environment has, stay.
        there: what is set, see `read`.
        login: gives the number of the user of that name.
    """
    changes: list[tuple[str, Callable[[], object]]] = []
    if there.main != wanted.main:
        changes.append(("the rules of main", partial(_protect, call, wanted.main)))
    for name, asked in wanted.environments.items():
        if asked != there.environments[name]:
            changes.append((f"the reviewers of {name}", partial(_review, call, name, asked, login)))
    if there.actions_open_pull_requests != wanted.actions_open_pull_requests:
        changes.append(("pull requests of Actions", partial(_permit, call, wanted.actions_open_pull_requests)))
    refused = []
    for what, change in changes:
        try:
            change()
        except GithubException as error:
            if error.status not in (403, 404, 422):
                raise
            refused.append(f"{what}: {error.status} {(error.data or {}).get('message', '')}".rstrip())
    return refused


def _ruleset(call: Call) -> dict[str, Any] | None:
    for one in call("GET", "rulesets?includes_parents=false"):
        if one["name"] == RULESET:
            found: dict[str, Any] = call("GET", f"rulesets/{one['id']}")
            return found
    return None


def _main(rules: list[dict[str, Any]]) -> Main:
    found = {rule["type"]: rule.get("parameters", {}) for rule in rules}
    reviews = found.get(REVIEWS, {})
    return Main(
        checks=[check["context"] for check in found.get(CHECKS, {}).get(CHECKS, [])],
        owners=bool(reviews.get("require_code_owner_review")),
        approvals=int(reviews.get("required_approving_review_count") or 0),
    )


def _protect(call: Call, wanted: Main) -> None:
    there = _ruleset(call)
    reviews = {
        "required_approving_review_count": wanted.approvals,
        "require_code_owner_review": wanted.owners,
        "dismiss_stale_reviews_on_push": True,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }
    checks = {CHECKS: [{"context": name} for name in wanted.checks], "strict_required_status_checks_policy": False}
    ours = [*({"type": kind} for kind in PLAIN), {"type": REVIEWS, "parameters": reviews}]
    ours += [{"type": CHECKS, "parameters": checks}] if wanted.checks else []
    others = [rule for rule in (there or {}).get("rules", []) if rule["type"] not in (*PLAIN, REVIEWS, CHECKS)]
    body = {
        "name": RULESET,
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": (there or {}).get("bypass_actors", []),
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [*others, *ours],
    }
    call(*(("PUT", f"rulesets/{there['id']}") if there else ("POST", "rulesets")), body)


def _environment(call: Call, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = call("GET", f"environments/{name}")
    except UnknownObjectException:
        return {}
    return found


def _reviewers(found: dict[str, Any]) -> list[str]:
    rules = [rule for rule in found.get("protection_rules", []) if rule["type"] == "required_reviewers"]
    people = [one["reviewer"] for rule in rules for one in rule.get("reviewers", []) if one["type"] == "User"]
    return [str(person["login"]) for person in people]


def _review(call: Call, name: str, wanted: Environment, login: Callable[[str], int]) -> None:
    reviewers = [{"type": "User", "id": login(person)} for person in wanted.reviewers]
    policy = _environment(call, name).get("deployment_branch_policy")
    call("PUT", f"environments/{name}", {"reviewers": reviewers, "deployment_branch_policy": policy})


def _permit(call: Call, wanted: bool) -> None:
    default = call("GET", ACTIONS)["default_workflow_permissions"]
    call("PUT", ACTIONS, {"default_workflow_permissions": default, "can_approve_pull_request_reviews": wanted})
