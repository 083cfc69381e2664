import { z } from 'zod';
import { MODES } from '../../contract/table.ts';

/** Left out: that of what is around it. */
export const mode = (description: string) => z.enum(MODES).meta({ description }).optional();
