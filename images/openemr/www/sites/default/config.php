<?php

// Settings of the site: upstream has its own here, the stand-in needs none.
