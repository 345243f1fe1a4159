"""Defects of libraries we build on; each test fails the day its defect is gone."""
