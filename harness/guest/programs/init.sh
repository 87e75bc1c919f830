#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The guest's first process: mounts, modules, network, ssh; then becomes the heartbeat.
# The root file system is this initramfs, never the share under test.
export PATH=/bin:/sbin:/usr/sbin:/fuselage/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

if [ -f /fuselage/modules/order ]; then
	while read -r module; do
		insmod "/fuselage/modules/$module" || echo "fuselage: can not load $module" >/dev/kmsg
	done </fuselage/modules/order
fi

ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up

for word in $(cat /proc/cmdline); do
	case $word in
	fuselage.key=*) echo "ssh-ed25519 ${word#fuselage.key=}" >/root/.ssh/authorized_keys ;;
	esac
done
chmod 600 /root/.ssh/authorized_keys

# The console is the one channel nobody else can write to: it vouches for the host key.
dropbearkey -t ed25519 -f /etc/dropbear.key 2>/dev/null | while read -r type key _; do
	[ "$type" = ssh-ed25519 ] && echo "fuselage: hostkey $key" >/dev/kmsg
done
dropbear -s -j -k -r /etc/dropbear.key -p 22 -P /tmp/dropbear.pid
echo "fuselage: ready" >/dev/kmsg
exec heartbeat /dev/ttyS1
