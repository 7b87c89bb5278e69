# Runs as the first process of new user, mount, PID, IPC and network namespaces, as their root: builds a file system with
# nothing of the host in it but programs and libraries, unpacks the job from standard input, and runs it without privileges.
# When this process ends, by itself or killed from outside, the kernel kills whatever the job has started.
#   $1 bytes and $2 files that the file system may hold, $3 the folder of .NET or nothing; then the command
set -eu
bytes=$1 files=$2 dotnet=$3
shift 3

# No namespaces inside: they would give the job a root's rights over mounts of its own. No memory that outlives a process.
echo 0 > /proc/sys/user/max_user_namespaces
echo 0 > /proc/sys/kernel/shmmni
echo 0 > /proc/sys/kernel/msgmni

# A mount point that is always there and that no program lives under. What is mounted below it on the host is hidden.
root=/sys
mount -t tmpfs -o "size=$bytes,nr_inodes=$files,mode=755,nosuid,nodev" sandbox $root
mkdir $root/old $root/dev $root/etc $root/proc $root/tmp $root/work $root/dotnet

show() {
    if [ -L "$1" ]; then
        ln -s "$(readlink "$1")" "$root$1"
    elif [ -d "$1" ]; then
        mkdir -p "$root${2-$1}"
        mount --rbind "$1" "$root${2-$1}"
    elif [ -e "$1" ]; then
        : > "$root$1"
        mount --bind "$1" "$root$1"
    fi
}
for path in /usr /bin /sbin /lib /lib32 /lib64 /etc/alternatives /etc/ld.so.cache; do show $path; done
[ -z "$dotnet" ] || show "$dotnet" /dotnet
while read -r _ _ _ _ point _; do
    case $point in $root/usr* | $root/bin* | $root/sbin* | $root/lib* | $root/etc/* | $root/dotnet*) mount -o remount,bind,ro,nosuid,nodev "$point" ;; esac
done < /proc/self/mountinfo
for device in null zero urandom; do show /dev/$device; done
mount -t proc -o subset=pid,nosuid,nodev,noexec proc $root/proc

# The host's /proc is needed once more: umount looks into it.
cd $root
pivot_root . old
cd /
mount --rbind /old/proc /proc
umount -l /old
umount -l /proc
rmdir /old

tar -xf - --no-same-owner -C /
echo ready >&2

# This shell gives its standard error to the job and says no more: its remarks about killed children are not the job's.
cd /work
exec 3>&2 2>/dev/null
sh -c 'exec "$@" 2>&3 3>&-' job "$@" < /input
