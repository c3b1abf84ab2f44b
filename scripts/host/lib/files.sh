# shellcheck shell=bash disable=SC2154 # home is from lib/paths.sh
# Sourced by bootstrap and its parts: updates files. A mark is a file that exists if a service has
# loaded the current files. It is deleted before the first file changes, so that the next run
# completes an interrupted one.

# replace FILE [MARK]: replaces the file with stdin in one step, if they differ.
replace() {
  install -D -m 644 /dev/stdin "$1.new"
  if cmp -s "$1.new" "$1"; then
    rm "$1.new"
  else
    rm -f ${2:+"$2"}
    mv "$1.new" "$1"
  fi
}

# copy_changed DIRECTORY DESTINATION [MARK]: copies the changed files of a directory of this
# release, and deletes files at the destination that only earlier releases have.
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

# files_in DIRECTORY: lists the files. bin/docker-settings handles daemon.json, which the owner may
# change.
files_in() { find "$1" -type f ! -path "$1/docker/daemon.json" -printf '%P\n' | sort; }
