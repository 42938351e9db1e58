"""How good a restyled clip is: measures of its frames beside the filmed clip, keys and truth."""

from kadr.measure.inputs import MeasureInputs
from kadr.measure.output import Measurement, measure_output
from kadr.measure.summary import Measure

__all__ = ["Measure", "MeasureInputs", "Measurement", "measure_output"]
