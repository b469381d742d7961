"""Audits a project from the chain and IPFS alone, trusting no server (docs/audit.md)."""

from marketplace.audit.auditor import audit, checks
from marketplace.audit.report import AuditReport, Check

__all__ = ["AuditReport", "Check", "audit", "checks"]
