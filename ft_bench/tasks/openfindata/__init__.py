"""OpenFinData: Chinese finance questions of nine kinds."""
