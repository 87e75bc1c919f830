// SPDX-License-Identifier: GPL-2.0-only
import type { OperationName, ReplyOf, RequestOf } from '../fuse/operations.ts';
import type { InHeader } from '../fuse/structs.ts';
import type { Window } from '../window/window.ts';
import type { Session } from './session.ts';

/** What a handler has beside the request's own arguments. */
export interface Call {
  readonly header: InHeader;
  readonly session: Session;
  readonly window: Window | undefined;
  /** Room for reply data in guest memory, behind the reply's header: what is read into it needs no copy. */
  reserve(bytes: number): Buffer[];
}

/** Answers a request, or throws FuseError. One that answers at once is answered in the same turn. */
export type Handler<N extends OperationName> = (request: RequestOf<N>, call: Call) => ReplyOf<N> | Promise<ReplyOf<N>>;
/** An operation without a handler is answered ENOSYS. */
export type Handlers = { readonly [N in OperationName]?: Handler<N> };
