# Sourced by quickstart and run-tests: installs what is missing of setup/packages.txt.
# Usage: install_packages [occasion ...]

install_packages() {
  local wanted missing package
  wanted=$(sed -e 's/#.*//' -e '/:/d' setup/packages.txt)
  for occasion in "$@"; do
    wanted+=" $(sed -n "s/^$occasion: *//p" setup/packages.txt)"
  done
  missing=""
  for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=" $package"
  done
  [ -z "$missing" ] && return 0
  echo "Installing Debian packages:$missing" >&2
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing and only root can install them; run as root:" >&2
      echo "  apt-get install$missing" >&2
      return 1
    fi
    root=(sudo)
  fi
  local log
  log=$(mktemp)
  if ! { "${root[@]}" apt-get update -q &&
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get failed; its whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

# Configures and builds folder $1; further arguments go to CMake. Talks only when something fails.
build_in() {
  local folder=$1
  shift
  local launcher=()
  # Without this sloppiness ccache leaves alone what uses precompiled headers.
  command -v ccache >/dev/null &&
    launcher=("-DCMAKE_CXX_COMPILER_LAUNCHER=env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache")
  mkdir -p "$folder"
  if ! cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" "$@" \
    >"$folder/configure.log" 2>&1; then
    cat "$folder/configure.log" >&2
    return 1
  fi
  if [ -t 2 ]; then
    cmake --build "$folder" >&2
  else
    cmake --build "$folder" >"$folder/build.log" 2>&1 || { cat "$folder/build.log" >&2; return 1; }
  fi
}
