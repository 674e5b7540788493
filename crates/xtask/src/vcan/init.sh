#!/bin/sh
# First process of the guest: loads what the kernel needs, lays a writable layer over the host's files, runs
# the command there and leaves its exit status in a file. A guest that dies earlier leaves none.
box=/bin/busybox

stop() {
    echo "vcan guest: $*"
    $box sync
    $box poweroff -f
}

$box mount -t proc proc /proc
$box mount -t sysfs sysfs /sys
$box mount -t devtmpfs devices /dev
# The console adds no carriage returns.
$box stty -onlcr </dev/console

for module in /modules/*; do
    $box insmod "$module" || stop "cannot load $module"
done

shared=trans=virtio,version=9p2000.L,msize=512000
$box mount -t 9p -o "ro,cache=loose,$shared" host /host || stop "cannot reach the host's files"
$box mount -t tmpfs -o mode=755 layer /layer
$box mkdir /layer/upper /layer/work
$box mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work whole /whole ||
    stop "cannot lay a writable layer over the host's files"

for folder in dev proc sys run; do $box mkdir -p /whole/$folder; done
for folder in dev proc sys; do $box mount --move /$folder /whole/$folder; done
$box mkdir -p /whole/dev/shm /whole/dev/pts
$box mount -t tmpfs shm /whole/dev/shm
$box mount -t devpts pts /whole/dev/pts
[ -e /whole/dev/fd ] || $box ln -s /proc/self/fd /whole/dev/fd
$box mount -t tmpfs run /whole/run
$box mkdir /whole/run/exchange
$box mount -t 9p -o "rw,$shared" exchange /whole/run/exchange || stop "cannot reach the folder for the status"

$box chroot /whole /bin/sh /run/exchange/command.sh
echo $? >/whole/run/exchange/status
$box umount /whole/run/exchange
$box poweroff -f
