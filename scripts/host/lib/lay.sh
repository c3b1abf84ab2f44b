# shellcheck shell=bash
# Sourced by bootstrap and its parts.

# lay <directory> <destination> <mark>: copies each file that differs. From the first one on the mark is gone, until whoever reads the files
# has done so and puts it back: what a run that was killed has left undone, the next one does.
lay() {
  local file
  while read -r file; do
    cmp -s "$1/$file" "$2/$file" && continue
    rm -f "$3"
    install -D -m 644 "$1/$file" "$2/$file"
  done < <(cd "$1" && find . -type f)
}
