# shellcheck shell=bash disable=SC2154 # root is from lib/paths.sh
# Sourced by lib/paths.sh. Makes a program independent of its caller, as delivery/host_cli.py does:
# cloud-init and systemd set no HOME, sudo keeps variables of its caller, and so on. DELIVERY_
# variables, proxies, the terminal and the directory for temporary files are kept.
for name in $(compgen -e); do
  case $name in
    DELIVERY_* | *_[Pp][Rr][Oo][Xx][Yy] | TERM | TMPDIR) ;;
    SHELLOPTS | BASHOPTS) declare +x "$name" ;; # bash cannot remove them
    *) unset "$name" ;;
  esac
done
unset name
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PATH=$root${PATH//:/:"$root"} # tests set another root
export PATH HOME=$root/root LC_ALL=C.UTF-8
umask 022
cd "$root/" || exit
