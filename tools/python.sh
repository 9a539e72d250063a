#!/usr/bin/env bash
# Print the Python to build on: that of the system where it is new enough and can make environments, else the one on PATH.
#
# Distributions build theirs with profile-guided optimisation; one compiled by hand mostly is not, and takes up to 1.4 times
# as long for the same code.
set -euo pipefail

for python in /usr/bin/python3 python3; do
  "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
echo "$python"
