import { declareCases } from '../cases/suite.ts';
import { hostRunner } from './session.ts';

declareCases(hostRunner(1));
declareCases(hostRunner(2));
