#!/usr/bin/env python3
"""Django's command line: migrate, load_sample_books, createsuperuser, runserver and others."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "book_shop.settings")
    execute_from_command_line(sys.argv)
