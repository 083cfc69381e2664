/**
 * The guest did what a real host answers with silence or a crash: bad pointers, a second reply, headers out of phase.
 * A test that meets one has failed, whatever it asserts.
 */
export class HostFault extends Error {}
