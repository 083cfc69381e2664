import { declareCases } from '../cases/suite.ts';
import { filterRunner } from './session.ts';

declareCases(filterRunner());
