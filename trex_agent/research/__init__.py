"""Research: the Researcher with a language model. See `docs/design/llm.md`."""

from __future__ import annotations

from trex_agent.research.scholar import Scholar

__all__ = ["Scholar"]
