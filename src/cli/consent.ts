/**
 * The receiver's yes or no. Nothing in an offer can skip a question: what is asked depends on the flags of the
 * person, on what is on the disk, and on whether there is anybody to ask.
 */
import {
  XferError,
  type ConflictPolicy,
  type Decision,
  type OfferSummary,
  type OfferWatch,
} from '../index.js';
import { isTooLarge, offerLines } from './offer-lines.js';
import type { Choices, Prompts } from './prompts.js';
import type { Reporter } from './reporter.js';
import { show } from './show.js';

/** How long a person waits for the sender's count before the question comes all the same. */
const PATIENCE_MS = 1_500;

export interface ConsentOptions {
  /** Asks nothing: yes to everything that is not protected. */
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** What to do with files that exist, where a flag says so. */
  readonly policy: ConflictPolicy | undefined;
  readonly allowDotfiles: boolean;
  /** Somebody can be asked. */
  readonly canAsk: boolean;
  /** Milliseconds that the question waits for the sender's count; 1,500 if not given. */
  readonly patienceMs?: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Answers one offer. */
export class Consent {
  readonly #options: ConsentOptions;
  readonly #reporter: Reporter;
  readonly #prompts: Prompts;
  #refusal: XferError | undefined;

  constructor(options: ConsentOptions, reporter: Reporter, prompts: Prompts) {
    this.#options = options;
    this.#reporter = reporter;
    this.#prompts = prompts;
  }

  /** Why the answer was no. */
  get refusal(): XferError | undefined {
    return this.#refusal;
  }

  /** For `decide` of the library. */
  async decide(offer: OfferSummary, watch: OfferWatch): Promise<Decision> {
    const end = AbortSignal.any([watch.signal, this.#options.signal]);
    try {
      const conflicts = await this.#answer(new GrowingOffer(offer, watch, end));
      return { accept: true, conflicts };
    } catch (error) {
      if (!(error instanceof XferError)) throw error;
      // Where the peer or Ctrl-C ended the question, nobody said no.
      if (!end.aborted) this.#refusal = error;
      return { accept: false, reason: error.code };
    }
  }

  /** The policy for what exists; throws what speaks against a yes. */
  async #answer(growing: GrowingOffer): Promise<ConflictPolicy> {
    const { yes, dryRun, canAsk, policy } = this.#options;
    if (dryRun) {
      this.#show(await growing.complete());
      throw new XferError('dry-run');
    }
    if (!yes && !canAsk) throw new XferError('no-terminal');
    // A text is only shown, and showing is harmless. Where a script reads it, somebody has to say --yes.
    if (growing.offer.kind === 'text') return policy ?? 'refuse';

    if (yes) {
      // Content follows while the sender still counts, as soon as nothing can speak against it.
      const isClear = (so: OfferSummary): boolean =>
        so.isAllNew || (policy !== undefined && so.files + so.folders > 0);
      const offer = await growing.until(isClear);
      if (offer.conflictCount > 0 && policy === undefined) {
        const busy = offer.isBusy ? { detail: 'busy' } : {};
        throw new XferError('target-exists', { ...subjectOf(offer.conflicts), ...busy });
      }
      this.#refuseProtected(offer);
      this.#show(offer);
      return policy ?? 'refuse';
    }
    return this.#reporter.aside(() => this.#ask(growing));
  }

  async #ask(growing: GrowingOffer): Promise<ConflictPolicy> {
    const { policy } = this.#options;
    const early = (await growing.completeWithin(this.#options.patienceMs ?? PATIENCE_MS))
      ? undefined
      : await this.#askEarly(growing);
    if (early === false) throw declined();
    if (early === true && policy !== undefined) {
      await this.#askProtected(growing.offer, growing.end);
      return policy;
    }
    const offer = await growing.complete();
    this.#show(offer);
    const signal = growing.end;
    await this.#askProtected(offer, signal);
    if (early !== true) {
      const question = isTooLarge(offer) ? 'receive, though it does not fit?' : 'receive?';
      if ((await this.#prompts.confirm(question, !isTooLarge(offer), { signal })) !== true) throw declined();
    }
    return policy ?? (await this.#askPolicy(offer, signal));
  }

  /** The question while the sender counts. `undefined` when the count is there before the answer. */
  async #askEarly(growing: GrowingOffer): Promise<boolean | undefined> {
    this.#show(growing.offer);
    const question = 'still counting; receive whatever it is?';
    const counted = growing.counted;
    const answer = await this.#prompts.confirm(question, false, {
      signal: AbortSignal.any([counted, growing.end]),
    });
    return answer === undefined && counted.aborted ? undefined : answer === true;
  }

  #refuseProtected(offer: OfferSummary): void {
    if (this.#options.allowDotfiles || !isProtected(offer)) return;
    throw new XferError('target-protected', subjectOf(offer.dotNames));
  }

  async #askProtected(offer: OfferSummary, signal: AbortSignal): Promise<void> {
    if (this.#options.allowDotfiles || !isProtected(offer)) return;
    const { dotNames, intoHome } = offer;
    const names = dotNames
      .slice(0, 3)
      .map((name) => show(name, 40))
      .join(', ');
    const question =
      dotNames.length === 0
        ? 'this goes straight into your home folder, where programs find their settings; allow it?'
        : `${names}${dotNames.length > 3 ? ' …' : ''}: programs may obey files with such names${intoHome ? ', and this is your home folder' : ''}; allow it?`;
    if ((await this.#prompts.confirm(question, false, { signal })) !== true) throw declined();
  }

  async #askPolicy(offer: OfferSummary, signal: AbortSignal): Promise<ConflictPolicy> {
    if (offer.conflictCount === 0) return 'refuse';
    const choices: Choices<ConflictPolicy | 'cancel'> = {
      o: 'overwrite',
      overwrite: 'overwrite',
      u: 'update',
      update: 'update',
      r: 'rename',
      rename: 'rename',
      s: 'skip',
      skip: 'skip',
      c: 'cancel',
      cancel: 'cancel',
    };
    const question = 'overwrite them, update them, rename the new ones, skip them, or cancel? [o/u/r/s/c]';
    const choice = await this.#prompts.choose(question, choices, undefined, { signal });
    if (choice === undefined || choice === 'cancel') throw declined();
    return choice;
  }

  #show(offer: OfferSummary): void {
    for (const line of offerLines(offer, this.#reporter.width, this.#options.policy))
      this.#reporter.say(line);
  }
}

/** An offer whose figures get better while the sender counts. */
class GrowingOffer {
  /** Aborted when the peer leaves or the person stops. */
  readonly end: AbortSignal;
  readonly #counted = new AbortController();
  #offer: OfferSummary;
  #onBetter: (offer: OfferSummary) => void = () => undefined;

  constructor(offer: OfferSummary, watch: OfferWatch, end: AbortSignal) {
    this.end = end;
    this.#offer = offer;
    if (offer.complete) this.#counted.abort();
    watch.onUpdate((better) => {
      this.#offer = better;
      this.#onBetter(better);
      if (better.complete) this.#counted.abort();
    });
  }

  get offer(): OfferSummary {
    return this.#offer;
  }

  /** Aborted once the count is complete. */
  get counted(): AbortSignal {
    return this.#counted.signal;
  }

  /** The offer once it is as asked for, or complete. Throws `declined` when the peer leaves before. */
  async until(isEnough: (offer: OfferSummary) => boolean): Promise<OfferSummary> {
    if (!isEnough(this.#offer)) {
      const enough = new AbortController();
      this.#onBetter = (better) => {
        if (isEnough(better)) enough.abort();
      };
      await firstOf(this.counted, this.end, enough.signal);
      if (!this.counted.aborted && !enough.signal.aborted) throw declined();
    }
    return this.#offer;
  }

  /** The offer with its last figures. Throws `declined` when the peer leaves before. */
  async complete(): Promise<OfferSummary> {
    await this.completeWithin(undefined);
    if (!this.counted.aborted) throw declined();
    return this.#offer;
  }

  /** Waits for the count, the peer's end, or `ms`; true where the count is there. */
  async completeWithin(ms: number | undefined): Promise<boolean> {
    const late = new AbortController();
    const timer = ms === undefined ? undefined : setTimeout(() => late.abort(), ms);
    await firstOf(this.counted, this.end, late.signal);
    clearTimeout(timer);
    return this.counted.aborted;
  }
}

/** Waits until one of them is aborted. */
function firstOf(...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const signal = AbortSignal.any(signals);
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function isProtected({ dotNames, intoHome }: OfferSummary): boolean {
  return dotNames.length > 0 || intoHome;
}

function subjectOf([first]: readonly string[]): { subject?: string } {
  return first === undefined ? {} : { subject: first };
}

/** The error of a person who says no. */
function declined(): XferError {
  return new XferError('declined', { subject: 'you' });
}
