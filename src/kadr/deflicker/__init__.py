"""Remove flicker from a clip that was restyled frame by frame.

``make`` has the public function; the options alone are light to import.
"""
