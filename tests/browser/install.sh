#!/bin/sh
# Sees to a browser for these tests: the one that is there, else by apt where this user may, else Playwright's own.
set -u
present() {
  for name in chromium chromium-browser google-chrome; do
    # Some systems have a program of this name that only says how to install it.
    "$name" --version >/dev/null 2>&1 && return 0
  done
  return 1
}
present && exit 0
echo "Installing Chromium for tests/browser …"
if command -v apt-get >/dev/null; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  $as_root apt-get update -qq >/dev/null 2>&1
  $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1
  present && exit 0
fi
exec python -m playwright install chromium
