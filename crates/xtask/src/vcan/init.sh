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
$box mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root ||
    stop "cannot lay a writable layer over the host's files"

for folder in dev proc sys run; do $box mkdir -p /root/$folder; done
for folder in dev proc sys; do $box mount --move /$folder /root/$folder; done
$box mkdir -p /root/dev/shm /root/dev/pts
$box mount -t tmpfs shm /root/dev/shm
$box mount -t devpts pts /root/dev/pts
[ -e /root/dev/fd ] || $box ln -s /proc/self/fd /root/dev/fd
$box mount -t tmpfs run /root/run
$box mkdir /root/run/exchange
$box mount -t 9p -o "rw,$shared" exchange /root/run/exchange || stop "cannot reach the folder for the status"

$box chroot /root /bin/sh /run/exchange/command.sh
echo $? >/root/run/exchange/status
$box umount /root/run/exchange
$box poweroff -f
