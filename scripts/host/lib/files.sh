# shellcheck shell=bash disable=SC2154 # home is from lib/places.sh
# Sourced by bootstrap and its parts: brings files up to date. A mark is removed before the first
# file changes, and set again when a service has loaded the files. So a run that was killed leaves
# its work to the next one.

# replace <file> [mark]: standard input becomes the file, in one step, if it differs.
replace() {
  install -D -m 644 /dev/stdin "$1.new"
  if cmp -s "$1.new" "$1"; then
    rm "$1.new"
  else
    rm -f ${2:+"$2"}
    mv "$1.new" "$1"
  fi
}

# copy_changed <directory> <destination> [mark]: brings the files of a directory of this release to
# their destination, and removes there what only earlier releases have.
copy_changed() {
  local file earlier
  while read -r file; do
    cmp -s "$home/$1/$file" "$2/$file" || replace "$2/$file" "${3:-}" <"$home/$1/$file"
  done < <(files_in "$home/$1")
  for earlier in "$home"-releases/*/"$1"; do
    [ -d "$earlier" ] || continue
    while read -r file; do
      if [ -e "$home/$1/$file" ] || [ ! -e "$2/$file" ]; then continue; fi
      rm -f ${3:+"$3"}
      case $file in
        *.service | *.timer | *.socket) systemctl disable --now --quiet "${file##*/}" ;;
      esac
      rm "$2/$file"
    done < <(files_in "$earlier")
  done
}

# files_in <directory>: all but Docker's settings, which the owner may change (bin/docker-settings).
files_in() { find "$1" -type f ! -path "$1/docker/daemon.json" -printf '%P\n' | sort; }
