// SPDX-License-Identifier: GPL-2.0-only
import type { MachineOptions } from './options.ts';

/** The QEMU command line of a guest, without the program itself. */
export function qemuArguments(options: MachineOptions & { readonly qmpPath: string; readonly beatPath: string }): string[] {
  const memory = `${options.memoryMiB}M`;
  return [
    '-nodefaults',
    '-no-user-config',
    '-display', 'none',
    // A panic resets (panic=-1) and a reset ends QEMU: its exit is how a crash is noticed at once.
    '-no-reboot',
    '-accel', options.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi',
    // Four levels of page tables: with five an interrupt in identify_cpu(), which forgets all capabilities for a moment, has
    // KASAN take the direct map for wild memory (docs/findings.md); under emulation a level is a walk less as well.
    '-cpu', `${options.accelerator === 'kvm' ? 'host' : 'max'},la57=off`,
    '-smp', String(options.cpus),
    // vhost-user back-ends map guest RAM, so it must be shared.
    '-object', `memory-backend-memfd,id=mem,size=${memory},share=on`,
    '-machine', 'q35,memory-backend=mem,usb=off,graphics=off',
    '-m', memory,
    '-kernel', options.bzImage,
    '-initrd', options.initramfs,
    '-append', ['console=ttyS0', 'panic=-1', 'oops=panic', 'loglevel=7', 'printk.devkmsg=on', 'sysrq_always_enabled', 'random.trust_cpu=on', ...options.append].join(' '),
    '-chardev', 'stdio,id=console,signal=off',
    '-serial', 'chardev:console',
    '-chardev', `socket,id=beat,path=${options.beatPath}`,
    '-serial', 'chardev:beat',
    '-chardev', `socket,id=qmp,path=${options.qmpPath}`,
    '-mon', 'chardev=qmp,mode=control',
    // restrict=on: the guest reaches nothing; only the forwarded port reaches it, and only from loopback.
    '-netdev', 'user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22',
    '-device', 'virtio-net-pci,netdev=net0,romfile=',
    '-device', 'virtio-rng-pci',
    ...options.devices,
    ...(options.gdbSocket === undefined ? [] : ['-gdb', `unix:${options.gdbSocket},server=on,wait=off`, '-S']),
  ];
}
