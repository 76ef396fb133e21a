"""Pax8, the distributor: the client's subscriptions, and the seat that the leaver frees. See README.md."""

from connectors.pax8.connector import Pax8

CONNECTOR = Pax8()
