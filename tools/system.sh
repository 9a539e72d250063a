#!/usr/bin/env bash
# Make sure that programs which pip cannot bring are on this machine.
#
#   tools/system.sh [--can-have] NEED...      needs: python postgis chromium curl gdal print fonts qgis
#
# What is missing is installed where apt-get is at hand with the right to use it; else one line says what to
# install, and the exit status is 1. With --can-have nothing is installed; it only says so at once.
set -euo pipefail

python=${PYTHON:-$("$(dirname "$0")/python.sh")}
missing=()  # names for people
packages=() # of Debian and Ubuntu

die() {
  echo "$*" >&2
  exit 1
}

lacks() { # NAME PACKAGE...: note that NAME is missing and which packages bring it
  missing+=("$1")
  packages+=("${@:2}")
}

any_file() { # FILE...: whether one of them exists; patterns that match nothing arrive as they are
  local file
  for file in "$@"; do [[ -f $file ]] && return 0; done
  return 1
}

any_command() {
  local name
  for name in "$@"; do command -v "$name" >/dev/null && return 0; done
  return 1
}

need_python() {
  any_command "$python" || { lacks "Python 3.11 or newer" python3 python3-venv && return; }
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "Python 3.11 or newer is needed, and $python is $("$python" --version 2>&1). Name another: make PYTHON=..."
  "$python" -c 'import ensurepip, venv' 2>/dev/null || lacks "Python's venv" python3-venv
}

need_postgis() {
  local own=""
  if any_command pg_config; then own=$(pg_config --sharedir)/extension/postgis.control; fi
  any_file "$own" /usr/share/postgresql/*/extension/postgis.control /usr/pgsql-*/share/extension/postgis.control \
    /opt/homebrew/share/postgresql@*/extension/postgis.control /usr/local/share/postgresql@*/extension/postgis.control \
    /Applications/Postgres.app/Contents/Versions/*/share/postgresql/extension/postgis.control ||
    lacks "PostgreSQL 15+ with PostGIS" "$(postgis_package)"
}

postgis_package() { # the newest one that the package lists know
  local found
  found=$(apt-cache search --names-only '^postgresql-[0-9]+-postgis-3$' 2>/dev/null | awk '{print $1}' | sort -V | tail -n 1)
  echo "${found:-postgresql-15-postgis-3}"
}

need_chromium() {
  any_command chromium chromium-browser google-chrome || lacks Chromium chromium
  # What playwright drives it with is linked to this one.
  [[ $(uname) == Darwin ]] || any_file /usr/lib/*/libatomic.so.1 /usr/lib64/libatomic.so.1 || lacks libatomic libatomic1
}

need_curl() { # the pages' examples are run with it
  any_command curl || lacks curl curl
}

need_gdal() {
  any_command ogrinfo || lacks "GDAL's programs" gdal-bin
}

need_print() { # what a report is printed with
  any_file /usr/lib/*/libpangoft2-1.0.so.0 /usr/lib64/libpangoft2-1.0.so.0 /opt/homebrew/lib/libpangoft2-1.0.*dylib \
    /usr/local/lib/libpangoft2-1.0.*dylib || lacks Pango libpango-1.0-0 libpangoft2-1.0-0
  any_file /usr/lib/*/libharfbuzz-subset.so.0 /usr/lib64/libharfbuzz-subset.so.0 \
    /opt/homebrew/lib/libharfbuzz-subset.*dylib /usr/local/lib/libharfbuzz-subset.*dylib ||
    lacks HarfBuzz libharfbuzz-subset0
}

need_fonts() { # without Chinese letters the widths and pictures of a page mean nothing
  [[ $(uname) == Darwin ]] || any_file /usr/share/fonts/*/*CJK* /usr/share/fonts/*/*/*CJK* /usr/share/fonts/*/*/wqy* ||
    lacks "a Chinese font" fonts-noto-cjk
}

need_qgis() {
  any_file /usr/lib/python3/dist-packages/qgis/__init__.py || lacks "QGIS's Python" python3-qgis
}

find_missing() { # NEED...
  local need
  missing=() packages=()
  for need in "$@"; do "need_$need"; done
}

may_install() {
  any_command apt-get || return 1
  [[ $(id -u) == 0 ]] || { any_command sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; }
}

install() { # NEED...
  local sudo=()
  [[ $(id -u) == 0 ]] || sudo=(sudo)
  echo "==> Installing with apt-get: ${missing[*]}"
  # The lists of a fresh machine are empty, and those of an old one name packages that are gone.
  "${sudo[@]}" apt-get update
  find_missing "$@"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
  find_missing "$@"
}

say_missing() {
  local names how
  names=$(printf '%s, ' "${missing[@]}")
  if any_command apt-get; then
    how="apt-get install ${packages[*]}"
  elif any_command brew; then
    how="brew install $(printf '%s\n' "${packages[@]}" | sed 's/.*postgis.*/postgis/; s/gdal-bin/gdal/; s/libpango.*/pango/; s/libharfbuzz.*/harfbuzz/' | paste -sd ' ' -)"
  else
    how="what Debian calls ${packages[*]}"
  fi
  die "Missing: ${names%, }. Install: $how"
}

can_have=no
if [[ ${1:-} == --can-have ]]; then
  can_have=yes
  shift
fi
find_missing "$@"
if [[ ${#missing[@]} != 0 ]]; then
  may_install || say_missing
  if [[ $can_have == no ]]; then
    install "$@"
    [[ ${#missing[@]} == 0 ]] || say_missing
  fi
fi
