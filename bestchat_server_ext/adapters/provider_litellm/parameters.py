"""What litellm calls the variables of a provider.

They are handed over with each request. litellm would find some of them in the environment, which is
not where every owner's are.
"""

from __future__ import annotations

from bestchat_server_ext.core.catalog import Look, ProviderFacts

PARAMETERS = {
    "AWS_REGION": "aws_region_name",
    "AWS_PROFILE": "aws_profile_name",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "VERTEXAI_PROJECT": "vertex_project",
    "VERTEXAI_LOCATION": "vertex_location",
    "GOOGLE_APPLICATION_CREDENTIALS": "vertex_credentials",
    "WATSONX_URL": "api_base",
    "WATSONX_PROJECT_ID": "project_id",
}


def parameters(facts: ProviderFacts, look: Look) -> dict[str, str]:
    """A provider's further variables, as far as they are set, by litellm's names."""
    named = {PARAMETERS[item.name]: look(item.name) for item in facts.other_names}
    return {name: value for name, value in named.items() if value}
