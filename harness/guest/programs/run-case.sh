#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# run-case NAME DIRECTORY PROGRAM [ARGUMENT]...
# Runs a case between two marks in the kernel log: what the kernel says in between belongs to it.
name=$1
directory=$2
shift 2
echo "fuselage: begin $name" >/dev/kmsg
mkdir -p "$directory" && cd "$directory" && "$@"
code=$?
echo "fuselage: end $name $code" >/dev/kmsg
exit $code
