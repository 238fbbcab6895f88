"""Vendors: from a backend's name and its options to a model, or to what is missing for one."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from ft_bench.backends.llm.chat import ChatModel, litellm_module
from ft_bench.backends.llm.options import read_options
from ft_bench.errors import PrerequisiteError, UsageError

__all__ = ["claude", "gemini", "litellm", "local", "openai", "qwen"]

_LOOK_SECONDS = 10.0
_THINKING = 32_768
"""Tokens of a reply for models that think by default: the limit counts what they think."""


def gemini(options: Mapping[str, str]) -> ChatModel:
    """Google's Gemini API."""
    default = "gemini/gemini-3-pro-preview"
    return _vendor("gemini", options, default, ("GEMINI_API_KEY", "GOOGLE_API_KEY"))


def qwen(options: Mapping[str, str]) -> ChatModel:
    """Alibaba's Model Studio (DashScope)."""
    default = "dashscope/qwen3-next-80b-a3b-thinking"
    return _vendor("qwen", options, default, ("DASHSCOPE_API_KEY",))


def claude(options: Mapping[str, str]) -> ChatModel:
    """Anthropic's API."""
    default = "anthropic/claude-sonnet-4-5"
    return _vendor("claude", options, default, ("ANTHROPIC_API_KEY",), thinks=False)


def openai(options: Mapping[str, str]) -> ChatModel:
    """OpenAI's API."""
    return _vendor("openai", options, "openai/gpt-5.1", ("OPENAI_API_KEY",))


def local(options: Mapping[str, str]) -> ChatModel:
    """Any OpenAI-compatible server, by its address; without `model`, the only one it serves."""
    checked = read_options("local", options)
    if not checked.base_url.startswith(("http://", "https://")):
        raise UsageError(
            f"The backend 'local' has base_url {checked.base_url!r}, expected an address; give for "
            "example -B base_url=http://127.0.0.1:8000/v1"
        )
    key = _key("local", (checked.api_key_env,)) if checked.api_key_env else "none"
    name = checked.model or _only_model(checked.base_url, key)
    return ChatModel(f"openai/{name}", checked, checked.api_key_env or "-B api_key_env", key)


def litellm(options: Mapping[str, str], model: str = "") -> ChatModel:
    """Any model that litellm can reach, by its full name."""
    checked = read_options(model or "litellm", options)
    name = model or checked.model
    library = litellm_module()
    try:
        library.get_llm_provider(name)
    except library.exceptions.BadRequestError as cause:
        raise UsageError(
            f"litellm knows no provider of model {name!r}; expected provider/model, for example "
            "--backend groq/llama-3.3-70b-versatile"
        ) from cause
    if checked.api_key_env:
        return ChatModel(name, checked, checked.api_key_env, _key(name, (checked.api_key_env,)))
    missing = library.validate_environment(name)["missing_keys"]
    if missing and not checked.base_url:
        raise _missing(name, tuple(missing))
    return ChatModel(name, checked, "the environment", None)


def _vendor(
    backend: str,
    options: Mapping[str, str],
    default: str,
    variables: tuple[str, ...],
    *,
    thinks: bool = True,
) -> ChatModel:
    checked = read_options(backend, options)
    if thinks and checked.max_tokens is None:
        checked = checked.model_copy(update={"max_tokens": _THINKING})
    names = (checked.api_key_env,) if checked.api_key_env else variables
    key = _key(backend, names)
    model = checked.model or default
    if "/" not in model:
        model = f"{default.partition('/')[0]}/{model}"
    return ChatModel(model, checked, names[0], key)


def _key(backend: str, variables: tuple[str, ...]) -> str:
    """The key in the first variable that is set.

    Raises:
        PrerequisiteError: names the variables.
    """
    for name in variables:
        if os.environ.get(name):
            return os.environ[name]
    raise _missing(backend, variables)


def _missing(backend: str, variables: tuple[str, ...]) -> PrerequisiteError:
    return PrerequisiteError(
        f"The backend {backend!r} needs a key: the variable {' or '.join(variables)} is not set; "
        f"run export {variables[0]}=..., or name another variable with -B api_key_env=NAME"
    )


def _only_model(base_url: str, key: str) -> str:
    """The one model that a server serves.

    Raises:
        PrerequisiteError: where nothing answers.
        UsageError: where it serves none or several.
    """
    request = urllib.request.Request(
        f"{base_url.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_LOOK_SECONDS) as answer:
            names = [str(item["id"]) for item in json.load(answer)["data"]]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise PrerequisiteError(
            f"{base_url} does not say which models it serves ({cause}); start the server, or name "
            "the model with -B model=..."
        ) from cause
    if len(names) != 1:
        shown = ", ".join(names[:8]) or "none"
        raise UsageError(f"{base_url} serves {len(names)} models ({shown}); choose with -B model=")
    return names[0]
